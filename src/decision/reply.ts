/** An SMTP reply: RFC 5321 code, RFC 3463 enhanced status code, text. */
export interface Reply {
  readonly code: 451 | 452 | 550
  readonly subject: number
  readonly detail: number
  readonly text: string
}

/** All replies of this plugin. Mail servers and people match on these bytes. */
export const REPLIES = {
  /** Restricted, or a limit of 0: an unregistered sender. The text is Exchange Online's. */
  blocked: {
    code: 550,
    subject: 7,
    detail: 750,
    text: 'Service unavailable. Client blocked from sending from unregistered domains',
  },
  /** Restricted with scope `all`: any sender. */
  blockedAll: {
    code: 550,
    subject: 7,
    detail: 705,
    text: 'Access denied, tenant has exceeded threshold',
  },
  /** A limit with `defer` is reached. */
  deferred: {
    code: 451,
    subject: 7,
    detail: 1,
    text: 'Too many recipients from unregistered domains. Try again later',
  },
  /** The null sender's allowance is reached. */
  nullSenderFull: {
    code: 451,
    subject: 7,
    detail: 1,
    text: 'Too many recipients from the null sender. Try again later',
  },
  /** A second recipient from the null sender while the tenant is restricted. RFC 5321 §4.5.3.1.10. */
  oneRecipient: {
    code: 452,
    subject: 5,
    detail: 3,
    text: 'Too many recipients',
  },
  /** A blocked connector: any sender. The text is Exchange Online's. */
  connectorBlocked: {
    code: 550,
    subject: 7,
    detail: 711,
    text: 'Access denied, bad inbound connector',
  },
  /** `[foreign] action=refuse`: another tenant owns the sender domain. The text is Exchange Online's. */
  foreign: {
    code: 550,
    subject: 7,
    detail: 60,
    text: 'SMTP; Client does not have permissions to send as this sender',
  },
  /** A decision is not possible now, for example while Redis is down. */
  undecidable: {
    code: 451,
    subject: 3,
    detail: 0,
    text: 'Service temporarily unavailable. Try again later',
  },
  /** The session matches no connector and one is required, or its connector is disabled. */
  noTenant: {
    code: 550,
    subject: 7,
    detail: 64,
    text: 'TenantAttribution; Relay Access Denied SMTP',
  },
  /** Mail to an SRS address of this server whose sender is not null. */
  srsOnlyBounces: {
    code: 550,
    subject: 7,
    detail: 1,
    text: 'This address accepts bounces only',
  },
  /** An SRS address that this server did not create. */
  srsUnknown: {
    code: 550,
    subject: 1,
    detail: 1,
    text: 'No such SRS address',
  },
  /** An SRS address of this server that is too old. RFC 3463 §3.5, X.4.7: delivery time expired. */
  srsExpired: {
    code: 550,
    subject: 4,
    detail: 7,
    text: 'This rewritten sender has expired',
  },
  /** A transaction mixes SRS addresses and other recipients. RFC 3463 §3.6, X.5.3: too many recipients. */
  srsAlone: {
    code: 451,
    subject: 5,
    detail: 3,
    text: 'Send bounces to SRS addresses in a separate transaction',
  },
} as const satisfies Record<string, Reply>

/** Appends the case of the restriction to the exact text (`[reply] case`); empty: no change. */
export function withCase(reply: Reply, openedCase: string): Reply {
  return openedCase === '' ? reply : { ...reply, text: `${reply.text} (case ${openedCase})` }
}

/** The reply as it goes over the wire, without its line end. */
export function formatReply({ code, subject, detail, text }: Reply): string {
  return `${code} ${Math.floor(code / 100)}.${subject}.${detail} ${text}`
}

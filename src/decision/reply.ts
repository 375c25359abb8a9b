/** An SMTP reply: RFC 5321 code, RFC 3463 enhanced status code, text. */
export interface Reply {
  readonly code: 451 | 452 | 550
  readonly subject: number
  readonly detail: number
  readonly text: string
}

/** All the replies that we give. Mail servers and people match on these bytes. */
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
  /** `[foreign] action=refuse`: the sender domain is another tenant's. The text is Exchange Online's. */
  foreign: {
    code: 550,
    subject: 7,
    detail: 60,
    text: 'SMTP; Client does not have permissions to send as this sender',
  },
  /** What cannot be decided for now. */
  undecidable: {
    code: 451,
    subject: 3,
    detail: 0,
    text: 'Service temporarily unavailable. Try again later',
  },
  /** No tenant where one is demanded, or a disabled connector. */
  noTenant: {
    code: 550,
    subject: 7,
    detail: 64,
    text: 'TenantAttribution; Relay Access Denied SMTP',
  },
  /** An SRS address of ours, and a sender that is not null. */
  srsOnlyBounces: {
    code: 550,
    subject: 7,
    detail: 1,
    text: 'Only bounces go to this address, and their sender is null',
  },
  /** An SRS address that nobody here has made. */
  srsUnknown: {
    code: 550,
    subject: 1,
    detail: 1,
    text: 'No such address: it is no rewritten sender of this server',
  },
  /** An SRS address of ours that is too old. RFC 3463 §3.5, X.4.7: delivery time expired. */
  srsExpired: {
    code: 550,
    subject: 4,
    detail: 7,
    text: 'This rewritten sender has expired',
  },
  /** Some recipients of a transaction are SRS addresses, and some are not. RFC 3463 §3.6, X.5.3: too many recipients. */
  srsAlone: {
    code: 451,
    subject: 5,
    detail: 3,
    text: 'Bounces to rewritten senders come alone. Send to the others in a transaction of their own',
  },
} as const satisfies Record<string, Reply>

/** The same with the case of the restriction behind the exact text (`[reply] case`); empty: as it is. */
export function withCase(reply: Reply, openedCase: string): Reply {
  return openedCase === '' ? reply : { ...reply, text: `${reply.text} (case ${openedCase})` }
}

/** The reply as it goes over the wire, without its line end. */
export function formatReply({ code, subject, detail, text }: Reply): string {
  return `${code} ${Math.floor(code / 100)}.${subject}.${detail} ${text}`
}

/**
 * All that the plugin says to a client, byte for byte. Spelled out here and not taken from the
 * sources: mail servers and people match on these bytes.
 */
export const REPLY = {
  blocked:
    '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains\r\n',
  blockedAll: '550 5.7.705 Access denied, tenant has exceeded threshold\r\n',
  deferred: '451 4.7.1 Too many recipients from unregistered domains. Try again later\r\n',
  nullSenderFull: '451 4.7.1 Too many recipients from the null sender. Try again later\r\n',
  connectorBlocked: '550 5.7.711 Access denied, bad inbound connector\r\n',
  undecidable: '451 4.3.0 Service temporarily unavailable. Try again later\r\n',
  noTenant: '550 5.7.64 TenantAttribution; Relay Access Denied SMTP\r\n',
} as const

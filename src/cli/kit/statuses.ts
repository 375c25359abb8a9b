/** Exit statuses that several commands share, for their help. */
export const NO_TENANT = { 3: 'no such tenant' }
export const NO_TENANT_OR_CONNECTOR = { 3: 'no such tenant or connector' }

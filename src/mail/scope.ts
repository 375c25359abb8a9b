/** What a restriction refuses. `unregistered`: mail from unregistered domains; `all`: all relayed mail of the tenant. */
export type Scope = 'unregistered' | 'all'

/** What a restriction refuses; the words are kept in Redis and shown. */
export type Scope = 'unregistered' | 'all'

/** All scopes. */
export const SCOPES: readonly Scope[] = ['unregistered', 'all']
/** What a trip refuses, and a block without `--all`: mail that is not from accepted domains. */
export const USUAL_SCOPE: Scope = 'unregistered'

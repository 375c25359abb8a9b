import { clean } from './safe-text'

/**
 * A command line of `tenantctl` for a person to copy: a shell reads each of `words` as one word, whatever is in it. The
 * only way that a value gets into a command that is shown.
 */
export function tenantctl(...words: readonly string[]): string {
  return ['tenantctl', ...words.map(shellWord)].join(' ')
}

/** Quotes a text so that a shell reads it as one word. */
export function shellWord(text: string): string {
  const safe = clean(text)
  return /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`
}

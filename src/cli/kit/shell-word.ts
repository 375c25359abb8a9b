import { clean } from '../../base/safe-text'

/** Quotes a text so that a shell reads it as one word, for command lines that a person copies. */
export function shellWord(text: string): string {
  const safe = clean(text)
  return /^[\w@%+:,./][\w@%+=:,./-]*$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`
}

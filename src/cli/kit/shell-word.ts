import { clean } from '../../base/safe-text'

/**
 * A text as one word of a command line that a person copies into a shell: whatever it holds, the shell takes it for
 * nothing else.
 */
export function shellWord(text: string): string {
  const safe = clean(text)
  return /^[\w@%+:,./][\w@%+=:,./-]*$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`
}

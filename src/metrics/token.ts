import { readSecretFile } from '../config/secret-file'

/**
 * Reads the token that a client has to send.
 *
 * @param namedBy uid of the owner of the ini file.
 * @throws as {@link readSecretFile}.
 */
export function readToken(file: string, namedBy: number): string {
  const key = '[metrics] token_file'
  // A shorter one could be guessed.
  return readSecretFile({ key, file, namedBy, reader: 'exporter', shortest: 16 })
}

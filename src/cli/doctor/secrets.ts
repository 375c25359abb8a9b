import { statSync } from 'node:fs'
import { openToOthers } from '../kit/own-directory'
import { ok, warn, type Line } from './line'

/** Any permission for others, and write permission for the group. */
const TOO_MUCH = 0o027

/** Checks that only root and the caller can change the configuration; `./config` is refused for the same reasons. */
export function checkDirectory(directory: string): Line[] {
  const open = openToOthers(directory)
  if (open === undefined) return []
  return [
    warn(
      'config',
      `${open}: others on this machine may change what Haraka and tenantctl read, run and send`,
      'give the directory, those above it and unregistered-domain.ini to root, with the modes of docs/install.md',
    ),
  ]
}

/** Checks that only the owner and group of a file can read secrets or change what is trusted. */
export function checkSecrets(files: readonly string[]): Line[] {
  const open = files.filter((file) => (statSync(file).mode & TOO_MUCH) !== 0)
  if (open.length === 0) {
    return files.length === 0
      ? []
      : [ok('secrets', 'only their owner and group can read passwords and keys')]
  }
  return open.map((file) =>
    warn(
      'secrets',
      `${file} holds a password or a key, and has mode ${(statSync(file).mode & 0o777).toString(8).padStart(4, '0')}: others on this machine may read or change it`,
      'chmod 0640 with the group of the user that Haraka runs as, or 0600 and that owner',
    ),
  )
}

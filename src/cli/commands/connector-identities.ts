import type { Command } from 'commander'
import type { RawIdentities } from '../../mail/identities'

const KINDS = [
  ['ip', 'ip <cidr>', 'source address or range (repeatable)'],
  ['cert', 'cert <name>', 'DNS name of a verified client certificate, or *.name (repeatable)'],
  ['certSha256', 'cert-sha256 <hex>', 'fingerprint of one certificate, no CA needed (repeatable)'],
  ['auth', 'auth <user>', 'SMTP AUTH user, or *@domain (repeatable)'],
] as const

/** Goes before the name of an option: `--add-ip`. */
type Verb = 'add' | 'remove'

/** What commander makes of the options: `ip`, `addIp` … */
export type IdentityOptions = Readonly<Record<string, string[]>>

/** Adds an option for each kind of identity. */
export function addIdentityOptions(command: Command, verb?: Verb): Command {
  for (const [, flags, words] of KINDS) {
    const option = verb === undefined ? `--${flags}` : `--${verb}-${flags}`
    command.option(option, verb === undefined ? words : `${verb} a ${words}`, collect, [])
  }
  return command
}

/** The identities that these options were given. */
export function identitiesIn(options: IdentityOptions, verb?: Verb): RawIdentities {
  const lists = KINDS.map(([kind]) => [kind, options[verb ? verb + capitalized(kind) : kind]])
  return Object.fromEntries(lists) as RawIdentities
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function collect(value: string, values: string[]): string[] {
  return [...values, value]
}

import type { Command } from 'commander'
import type { RawIdentities } from '../../mail/identities'
import { IDENTITY_OPTIONS } from '../views/connector'

/** Goes before the name of an option: `--add-ip`. */
type Verb = 'add' | 'remove'

/** What commander makes of the options: `ip`, `addIp` … */
export type IdentityOptions = Readonly<Record<string, string[]>>

/** Adds an option for each kind of identity. */
export function addIdentityOptions(command: Command, verb?: Verb): Command {
  for (const { option: name, value, words } of IDENTITY_OPTIONS) {
    const option = verb === undefined ? `--${name}` : `--${verb}-${name}`
    const help = `${words} (repeatable)`
    command.option(
      `${option} <${value}>`,
      verb === undefined ? help : `${verb} a ${help}`,
      collect,
      [],
    )
  }
  return command
}

/** The identities that these options were given. */
export function identitiesIn(options: IdentityOptions, verb?: Verb): RawIdentities {
  const lists = IDENTITY_OPTIONS.map(({ kind }) => [
    kind,
    options[verb ? verb + capitalized(kind) : kind],
  ])
  return Object.fromEntries(lists) as RawIdentities
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function collect(value: string, values: string[]): string[] {
  return [...values, value]
}

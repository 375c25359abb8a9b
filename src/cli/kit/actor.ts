import { osUser } from '../../records/actor'
import { InputError } from '../../base/errors'
import { clean } from '../../base/safe-text'

const LONGEST_NAME = 100
const LONGEST_REASON = 500

/**
 * The name that the records keep for a change: `--by`, else the caller of sudo, else the user of this process.
 *
 * @throws {InputError} for a reserved name: `automatic` marks a trip, `file:ID` the tenants file, `web:NAME` and the like who
 *   uses a page.
 */
export function actor(
  by: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (by === undefined) {
    const name = [env['SUDO_USER'], osUser()].find((each) => each && isVisible(each))
    return name === undefined || isReserved(name) ? 'unknown' : name
  }
  const name = by.trim()
  if (!isVisible(name)) {
    throw new InputError(`--by takes a name of 1 to ${LONGEST_NAME} visible characters`)
  }
  if (isReserved(name)) {
    throw new InputError(`--by "${name}" is reserved: give the name of a person or a program`)
  }
  return name
}

function isVisible(name: string): boolean {
  return name !== '' && name.length <= LONGEST_NAME && clean(name) === name
}

function isReserved(name: string): boolean {
  return name === 'automatic' || /^(?:file|detached|web|console|tenant):/.test(name)
}

/** @throws {InputError} for a reason that is empty or has a line break. */
export function acceptedReason(reason: string): string {
  return acceptedText('--reason', reason)
}

/**
 * The same check for any text that is kept.
 *
 * @param what names the value in the message.
 */
export function acceptedText(what: string, input: string): string {
  const text = input.trim()
  if (text === '') throw new InputError(`${what} is empty: it is kept and shown`)
  if (text.length > LONGEST_REASON || clean(text) !== text) {
    throw new InputError(`${what} takes one line of up to ${LONGEST_REASON} visible characters`)
  }
  return text
}

import { isIP } from 'node:net'
import { InputError } from '../base/errors'
import type { Question } from './explain'

/** A message as a person describes it. */
export interface Asked {
  readonly from: string
  readonly to?: string
  readonly ip?: string
  readonly auth?: string
  readonly cert?: string
}

/** @throws {InputError} */
export function questionOf({ from, to, ip, auth, cert }: Asked): Question {
  if (ip !== undefined && isIP(ip) === 0) {
    throw new InputError(`--ip ${JSON.stringify(ip)} is not an IP address: write 192.0.2.10`)
  }
  for (const [option, value] of Object.entries({ to, auth, cert })) {
    if (value === '') throw new InputError(`--${option} is empty: give a value, or leave it out`)
  }
  return { from, to, ip, authUser: auth, certificateName: cert }
}

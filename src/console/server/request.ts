import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { atLeast, type Role } from '../../records/role'
import type { Sender } from '../access/entry'
import type { Session } from '../access/sessions'
import { FIELDS } from '../kit/forms'
import { sameSecret } from '../access/secrets'
import type { WriteRequest } from './guard'

export interface Env {
  Variables: { session: Session }
  /** What a server adds to a request. */
  Bindings: { readonly incoming?: Pick<IncomingMessage, 'rawHeaders' | 'socket'> }
}

/** A request, and after the sign-in its session. */
export type Request = Context<Env>

/** @param least `undefined`: no role may. */
export function mayDo(c: Request, least: Role | undefined): boolean {
  return least !== undefined && atLeast(c.get('session').person.role, least)
}

/** Whether a form has the token of the session. */
export function isOurForm(c: Request, sent: URLSearchParams): boolean {
  return sameSecret(sent.get(FIELDS.token) ?? '', c.get('session').token)
}

export function senderOf(c: Request): Sender {
  // Without a server there is none.
  const incoming = (c.env as Env['Bindings'] | undefined)?.incoming
  return {
    headers: incoming?.rawHeaders ?? [...c.req.raw.headers].flat(),
    peer: incoming?.socket.remoteAddress ?? 'a socket',
  }
}

export function writeRequest(c: Request): WriteRequest {
  return {
    origin: c.req.header('origin'),
    fetchSite: c.req.header('sec-fetch-site'),
    contentType: c.req.header('content-type'),
  }
}

/** Whether the page asks by itself. */
export function isPoll(c: Request): boolean {
  return c.req.header('hx-request') === 'true'
}

export function pathOf(c: Request): string {
  const { pathname, search } = new URL(c.req.url)
  return pathname + search
}

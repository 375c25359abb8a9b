import { isIPv6 } from 'node:net'
import type { Listen, Socket } from '../../base/listen'
import type { ConsoleSettings } from '../access/settings'
import type { ConsoleSite } from './site'

/** Where browsers find a console. */
export interface Place extends Pick<ConsoleSite, 'origins' | 'base' | 'cookie'> {
  /** Without a slash at the end. */
  readonly url: string
}

/** @param at where it listens. */
export function placeOf({ publicUrl, hosts }: ConsoleSettings, at: Listen | Socket): Place {
  const names = publicUrl === '' && 'port' in at ? loopbackNames(at) : [publicUrl]
  const { protocol, pathname, port } = new URL(names[0]!)
  const base = pathname === '/' ? '' : pathname
  const isSecure = protocol === 'https:'
  // Cookies are the same for all ports of a host: two consoles would sign people out of each other.
  const instance = `ud-${port || (isSecure ? 443 : 80)}`
  // Safari takes no Secure cookie over http, not even from this machine.
  const prefix = !isSecure ? '' : base === '' ? '__Host-' : '__Secure-'
  return {
    url: names[0]!,
    base,
    origins: [...names, ...hosts.map((host) => `${protocol}//${host}`)].map(
      (each) => new URL(each).origin,
    ),
    cookie: { name: prefix + instance, secure: isSecure },
  }
}

function loopbackNames({ address, port }: Listen): string[] {
  const own = isIPv6(address) ? `[${address}]` : address
  return [own, 'localhost', '127.0.0.1', '[::1]'].map((name) => `http://${name}:${port}`)
}

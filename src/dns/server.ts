import { isIP } from 'node:net'
import { InputError } from '../base/errors'

/** A resolver as node:dns takes it; `undefined`: it is no address, or its port is none. */
export function resolverAddress(text: string): string | undefined {
  const { bracketed, plain, port } =
    /^(?:\[(?<bracketed>[^\]]*)\]|(?<plain>[^:[\]]*))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups ??
    {}
  const address = bracketed ?? plain ?? text
  const number = port === undefined ? undefined : Number(port)
  if (isIP(address) === 0 || number === 0 || (number ?? 1) > 65_535) return undefined
  const host = isIP(address) === 6 ? `[${address}]` : address
  return number === undefined ? host : `${host}:${number}`
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`, as node:dns takes them. @throws {InputError} */
export function dnsServer(text: string): string {
  const server = resolverAddress(text)
  if (server !== undefined) return server
  throw new InputError(
    `--dns takes the address of a resolver, with a port if it is not 53, such as 192.0.2.53 or [2001:db8::53]:5353, not ${JSON.stringify(text)}`,
  )
}

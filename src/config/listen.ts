import { isIPv6 } from 'node:net'
import { InputError } from '../base/errors'
import { contains, readPrefix } from '../base/ip-prefix'

/** Where a server listens. */
export interface Listen {
  readonly address: string
  /** 0: a free one. */
  readonly port: number
}

/** Parses ADDRESS:PORT. @param example a port, for messages. */
export function listenParser(example: number): (given: string) => Listen {
  return (given) => {
    const [, six, four, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(given) ?? []
    const address = six ?? four ?? ''
    const prefix = readPrefix(address)
    const isAddress =
      prefix !== undefined && !address.includes('/') && (six === undefined || isIPv6(six))
    if (!isAddress || Number(port) > 65_535) {
      throw new InputError(
        `"${given}" is not ADDRESS:PORT: write an IP address and a port, such as 127.0.0.1:${example} or [::1]:${example}`,
      )
    }
    return { address, port: Number(port) }
  }
}

/** As a {@link listenParser} reads it. */
export function listenText({ address, port }: Listen): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`
}

const LOOPBACK = ['127.0.0.0/8', '::1'].map((each) => readPrefix(each)!)

/** Whether only this machine can reach it. */
export function isLoopback({ address }: Listen): boolean {
  const prefix = readPrefix(address)
  return prefix !== undefined && LOOPBACK.some((each) => contains(each, prefix))
}

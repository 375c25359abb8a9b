import { isIP } from 'node:net'
import { parseCIDR } from 'ipaddr.js'

/** Whether a whole prefix lies in one of the networks. Networks come from DNS: what is none is passed over. */
export function isInNetworks(prefix: string, networks: readonly string[]): boolean {
  const wanted = cidr(prefix)
  if (!wanted) return false
  const [address, length] = wanted
  return networks.some((text) => {
    const network = cidr(text)
    if (!network || network[0].kind() !== address.kind() || network[1] > length) return false
    return address.match(network)
  })
}

function cidr(text: string): ReturnType<typeof parseCIDR> | undefined {
  const family = isIP(text.replace(/\/\d{1,3}$/, ''))
  if (family === 0) return undefined
  try {
    return parseCIDR(text.includes('/') ? text : `${text}/${family === 4 ? 32 : 128}`)
  } catch {
    return undefined
  }
}

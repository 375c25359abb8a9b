import { contains, readPrefix } from '../base/ip-prefix'

/** Whether a whole prefix lies in one of the networks. They come from DNS, so invalid ones are ignored. */
export function isInNetworks(prefix: string, networks: readonly string[]): boolean {
  const wanted = readPrefix(prefix)
  if (wanted === undefined) return false
  return networks.some((text) => {
    const network = readPrefix(text)
    return network !== undefined && contains(network, wanted)
  })
}

import type { Node } from './node'

/** A process, for people: `mx2 worker 3`, `mx2`, `mx2 console`. */
export function nodeName({ host, worker, role }: Pick<Node, 'host' | 'worker' | 'role'>): string {
  if (role === 'console') return `${host} console`
  return role === 'worker' ? `${host} worker ${worker}` : host
}

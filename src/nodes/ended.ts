import { uptime } from 'node:os'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { hostOf, LATE, type NodeFacts } from './node'
import { toNode } from './read-nodes'

const LEAVE = readScript(__dirname, 'leave')

/**
 * Removes the processes of this host that have ended without saying so: killed, or their host was rebooted. What cannot be
 * known, such as a process in another container, stays until a person has the host forgotten.
 */
export class EndedProcesses {
  /** Monotonic ms; the first look is for what ended before this process was started. */
  private due = 0

  constructor(private readonly store: Store) {}

  /**
   * @param own what this process says of itself.
   * @param isLate some process is.
   * @throws where Redis gave no answer.
   */
  async look(own: NodeFacts, isLate: boolean): Promise<void> {
    const isFirst = this.due === 0
    const now = performance.now()
    if (!isFirst && (!isLate || now < this.due)) return
    this.due = now + LATE
    const { client, keys } = this.store
    const ids = (await client.zrange(keys.nodesSeen, '0', '-1')).filter(
      (id) => hostOf(id) === own.host && id !== own.id,
    )
    if (ids.length === 0) return
    const texts = await client.hmget(keys.nodes, ...ids)
    const ended = ids.filter((id, at) => {
      const node = toNode(id, texts[at] ?? '')
      return node === undefined || hasEnded(node, own)
    })
    if (ended.length > 0) await this.store.run(LEAVE, [keys.nodes, keys.nodesSeen], ended)
  }
}

/** Removes those of some silent processes that had said that they would end. @throws where Redis gave no answer. */
export async function removeDrained(store: Store, silent: readonly string[]): Promise<void> {
  if (silent.length === 0) return
  const { client, keys } = store
  const texts = await client.hmget(keys.nodes, ...silent)
  const ended = silent.filter((id, at) => toNode(id, texts[at] ?? '')?.draining === true)
  if (ended.length > 0) await store.run(LEAVE, [keys.nodes, keys.nodesSeen], ended)
}

function hasEnded(node: NodeFacts, own: NodeFacts): boolean {
  if (node.boot === '' || own.boot === '') return false
  if (node.boot === own.boot) return !isRunning(node.pid)
  const isSameKernel = kernelOf(node.boot) === kernelOf(own.boot)
  return !isSameKernel && node.started < Date.now() - uptime() * 1000
}

/** The run of the kernel, without the namespace. */
function kernelOf(boot: string): string {
  return boot.split(' ', 1)[0]!
}

/** Whether there is such a process, of any user. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Whether this system tells the CPU time of a process in nanoseconds. */
export const CPU_TIME = existsSync('/proc/self/schedstat')

export const NO_CPU_TIME = 'needs Linux with /proc/PID/schedstat'

/**
 * CPU time that all threads of a process have had so far, in µs. Finer than the clock ticks of /proc/PID/stat
 * (Linux Documentation/scheduler/sched-stats.rst).
 */
export function cpuTime(pid: number): number {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
      nanoseconds += Number(text.split(' ')[0])
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return nanoseconds / 1000
}

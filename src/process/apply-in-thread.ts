import { Worker } from 'node:worker_threads'
import { InputError } from '../base/errors'
import type { RedisSettings } from '../store/settings'
import type { ApplyReport } from '../tenants-file/apply'
import type { Config } from './config'

/** Heap that the thread may take, in MB: a file within the size limit needs half of it. */
const MOST_MEMORY = 1024

/** What the thread gets. */
export interface Job {
  readonly content: Uint8Array
  readonly filename: string
  readonly redis: RedisSettings
  readonly neverRegister: ReadonlySet<string>
}

/** What it answers. */
export type Outcome =
  { readonly report: ApplyReport } | { readonly mistakes: string } | { readonly failure: string }

/**
 * Parses a tenants file and applies it, in a thread and over a connection of its own: a large file takes seconds, in
 * which this process would answer no session, and one made for it would take all memory.
 *
 * @throws {InputError} as `readTenantsFile`, or it takes more memory than any good file.
 * @throws what ioredis throws; what was applied until then stays.
 */
export function applyInThread(
  content: Buffer,
  filename: string,
  { redis, registry }: Pick<Config, 'redis' | 'registry'>,
): Promise<ApplyReport> {
  const { neverRegister } = registry
  const job: Job = { content, filename, redis, neverRegister }
  const worker = new Worker(require.resolve('./tenants-file-thread'), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY },
  })
  worker.unref()
  return new Promise((resolve, reject) => {
    worker.once('message', (outcome: Outcome) => {
      if ('report' in outcome) resolve(outcome.report)
      else if ('mistakes' in outcome) reject(new InputError(outcome.mistakes))
      else reject(new Error(outcome.failure))
    })
    worker.once('error', (error: NodeJS.ErrnoException) => {
      const tooLarge = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      reject(tooLarge ? takesTooMuch(filename) : error)
    })
    // After a message or an error this changes nothing.
    worker.once('exit', () => reject(new Error('the thread that applies it has ended')))
  })
}

function takesTooMuch(filename: string): InputError {
  return new InputError(
    `${filename}: takes more than ${MOST_MEMORY} MB to parse: split it, with an id of its own for each file`,
  )
}

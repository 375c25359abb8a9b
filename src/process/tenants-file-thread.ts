import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { Config } from './config'
import { actorText, osActor, redisUser } from '../records/actor'
import { within } from '../base/deadline'
import { InputError, messageOf } from '../base/errors'
import { connect } from '../store/connection'
import type { RedisSettings } from '../store/settings'
import { Keys } from '../store/keys'
import { Store } from '../store/store'
import { applyTenantsFile, type ApplyReport } from '../tenants-file/apply'
import { parseTenantsFile } from '../tenants-file/parse'
import { fileSource } from '../tenants-file/source'

/** Heap that the thread may take, in MB: a file within the size limit needs half of it. */
const MOST_MEMORY = 1024
/** In ms; the process has just had a connection of its own. */
const CONNECT_DEADLINE = 10_000

interface Job {
  readonly kind: typeof KIND
  readonly text: string
  readonly filename: string
  readonly redis: RedisSettings
  readonly neverRegister: ReadonlySet<string>
}

type Outcome =
  { readonly report: ApplyReport } | { readonly mistakes: string } | { readonly failure: string }

const KIND = 'apply-tenants-file'

/**
 * Parses a tenants file and applies it, in a thread and over a connection of its own: a large file takes seconds, in
 * which this process would answer no session, and one made for it would take all memory.
 *
 * @throws {InputError} as {@link parseTenantsFile}, or it takes more memory than any good file.
 * @throws what ioredis throws; what was applied until then stays.
 */
export function applyInThread(
  text: string,
  filename: string,
  { redis, registry }: Pick<Config, 'redis' | 'registry'>,
): Promise<ApplyReport> {
  const { neverRegister } = registry
  const job: Job = { kind: KIND, text, filename, redis, neverRegister }
  const worker = new Worker(__filename, {
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

async function run({ text, filename, redis, neverRegister }: Job): Promise<Outcome> {
  try {
    const file = parseTenantsFile(text, filename)
    const client = connect(redis, () => {})
    try {
      await within(CONNECT_DEADLINE, new Promise<void>((resolve) => client.once('ready', resolve)))
      const store = new Store(client, new Keys(redis.prefix))
      store.actor = actorText({
        os: osActor({}),
        redis: await redisUser(client, redis.username),
        note: file.id === undefined ? '' : fileSource(file.id),
      })
      return { report: await applyTenantsFile(store, file, { neverRegister }) }
    } finally {
      client.disconnect()
    }
  } catch (error) {
    if (error instanceof InputError) return { mistakes: error.message }
    return { failure: messageOf(error) }
  }
}

const job = workerData as Job | null
if (!isMainThread && job?.kind === KIND) {
  void run(job).then((outcome) => parentPort?.postMessage(outcome))
}

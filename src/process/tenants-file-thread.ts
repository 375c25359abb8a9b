// The thread of {@link applyInThread}. The libraries and tables by which a tenants file is checked stay in it.
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { within } from '../base/deadline'
import { InputError, messageOf } from '../base/errors'
import { actorText, osActor, redisUser } from '../records/actor'
import { connect } from '../store/connection'
import { Keys } from '../store/keys'
import { Store } from '../store/store'
import { applyTenantsFile } from '../tenants-file/apply'
import { parseTenantsFile } from '../tenants-file/parse'
import { textOf } from '../tenants-file/read'
import { fileSource } from '../tenants-file/source'
import type { Job, Outcome } from './apply-in-thread'

/** In ms; the process has just had a connection of its own. */
const CONNECT_DEADLINE = 10_000

async function run({ content, filename, redis, neverRegister }: Job): Promise<Outcome> {
  try {
    const file = parseTenantsFile(textOf(Buffer.from(content), filename), filename)
    const client = connect(redis, () => {})
    try {
      await within(CONNECT_DEADLINE, new Promise<void>((resolve) => client.once('ready', resolve)))
      const actor = actorText({
        os: osActor({}),
        redis: await redisUser(client, redis.username),
        note: file.id === undefined ? '' : fileSource(file.id),
      })
      const store = new Store(client, new Keys(redis.prefix)).as(actor)
      return { report: await applyTenantsFile(store, file, { neverRegister }) }
    } finally {
      client.disconnect()
    }
  } catch (error) {
    if (error instanceof InputError) return { mistakes: error.message }
    return { failure: messageOf(error) }
  }
}

if (!isMainThread) void run(workerData as Job).then((outcome) => parentPort?.postMessage(outcome))

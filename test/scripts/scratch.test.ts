import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { listens } from '../../scripts/services/port'
import { waitFor } from '../support'

const services = path.resolve(__dirname, '../../scripts/services/redis')

// Starts a server, holds it with SIGSTOP, says what there is, and never ends by itself.
const HOLDER = `
  const { startRedis } = require(${JSON.stringify(services)})
  startRedis().then((redis) => {
    redis.pause()
    process.stdout.write(JSON.stringify({ dir: redis.dir, port: redis.port }) + '\\n')
    setInterval(() => {}, 60_000)
  })
`

describe('what a process has started', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    it(`goes with it when ${signal} ends it, even when it is paused`, async () => {
      const holder = spawn(process.execPath, ['--import', 'tsx', '-e', HOLDER])
      const [line] = (await once(holder.stdout, 'data')) as [Buffer]
      const { dir, port } = JSON.parse(String(line)) as { dir: string; port: number }
      assert.ok(existsSync(dir))
      assert.ok(await listens(port))

      holder.kill(signal)
      await once(holder, 'exit')
      await waitFor(async () => !(await listens(port)), { what: 'end of redis-server' })
      await waitFor(() => !existsSync(path.dirname(dir)), { what: 'removal of the scratch folder' })
    })
  }
})

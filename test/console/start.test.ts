import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startConsole, type TestConsole } from '../support/console'
import { startRedis, type TestRedis } from '../support/redis'

describe('tenantctl console', () => {
  let redis: TestRedis
  let served: TestConsole
  before(async () => {
    redis = await startRedis()
    served = await startConsole({ redis: { port: redis.port } })
  })
  after(async () => {
    await served.stop()
    await redis.stop()
  })

  it('signs a person in by a link, once', async () => {
    const link = await served.link('operator', 'ann')
    const form = await (await fetch(link)).text()
    assert.match(form, /Sign in as ann \(\w+\) on \S+, operator/)
    const post = { method: 'POST', redirect: 'manual', headers: { origin: served.url } } as const
    const sent = await fetch(link, { ...post, body: new URLSearchParams() })
    assert.equal(sent.status, 303)
    const [cookie = ''] = (sent.headers.get('set-cookie') ?? '').split(';')
    const page = await (await fetch(`${served.url}/`, { headers: { cookie } })).text()
    assert.match(page, /ann \(\w+\), operator/)
    const again = await fetch(link, { ...post, body: new URLSearchParams() })
    assert.equal(again.status, 404)
    assert.match(await again.text(), /It was used, or is older than ten minutes/)
  })
})

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startRelay } from '../support'
import { REPLY } from '../support/replies'

it('A Haraka that is killed and started again keeps restrictions, and what was open stays charged', async (t) => {
  const relay = await startRelay()
  t.after(() => relay.stop())
  const { haraka } = relay
  const tripped = await relay.tenant('tripped', { limits: '1/1h' })
  const to = ['a@far.example', 'b@far.example']
  const sent = await tripped.send({ from: 'x@stolen.example', to })
  assert.equal(sent.rcpts[1]?.raw, REPLY.blocked)
  const open = await relay.tenant('open', { limits: '2/1h' })
  const client = await open.connect()
  await client.mail('x@stolen.example')
  assert.equal((await client.rcpt('a@far.example')).code, 250)

  haraka.signal('SIGKILL')
  await haraka.restart()
  await client.leave('RST')
  // The new process has met neither tenant: it asks for them.
  assert.equal((await tripped.send({ from: 'x@stolen.example', to })).mail.raw, REPLY.blocked)
  const own = { from: `x@${tripped.domain}`, to: 'a@far.example' }
  assert.equal((await tripped.send(own)).delivered, true)
  assert.equal(await open.used(), 1)
  assert.equal((await open.send({ from: 'x@stolen.example', to })).rcpts[1]?.raw, REPLY.blocked)
})

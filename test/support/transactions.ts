import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { DeliveredMessage } from '../../scripts/services/sink'
import { formatMessage, type SmtpClient } from '../../scripts/services/smtp'
import { waitFor } from '../../scripts/services/wait-for'
import type { Load } from './load'
import type { TestTenant } from './relay'

/** Of a domain of no tenant. */
export const FROM = 'x@unregistered.example'
/** Subject of a message whose client did not wait for the answer; the sink accepts it when it is released. */
export const LEFT_SUBJECT = 'left'
const LEFT = formatMessage({
  ...{ from: FROM, to: 'someone@far.example', subject: LEFT_SUBJECT },
  headers: { 'X-Sink': 'hold' },
})

/**
 * One transaction with one to four recipients that mostly does not complete: RSET, QUIT, a FIN or RST before or
 * within DATA, a FIN right after the final dot. Together they never hold more than `limit`.
 *
 * @param random numbers from 0 to below 1.
 * @returns the session to continue with.
 */
export async function transactAtRandom(
  load: Load,
  { limit, random }: { readonly limit: number; readonly random: () => number },
  client: SmtpClient,
  session: number,
): Promise<SmtpClient> {
  if (!(await load.mail(client, FROM))) return client
  const recipients = 1 + Math.floor(random() * 4)
  let held = 0
  for (let at = 0; at < recipients; at++) {
    if (!(await load.rcpt(client))) continue
    held++
    assert.ok(load.held <= limit, `${load.held} held of ${limit}`)
  }
  if (held > 0) return endAtRandom(load, client, session, { held, random })
  assert.equal((await client.rset()).code, 250)
  return client
}

async function endAtRandom(
  load: Load,
  client: SmtpClient,
  session: number,
  { held, random }: { readonly held: number; readonly random: () => number },
): Promise<SmtpClient> {
  const choice = random()
  if (choice < 0.04) {
    await deliver(client)
    return client
  }
  if (choice < 0.08) {
    // Leaving at the dot does not stop the message; the queue accepts it later.
    assert.equal((await client.data()).code, 354)
    await client.messageAndLeave('FIN', LEFT)
    return load.connect(session)
  }
  // Counted as refunded from here on, before the plugin can refund it.
  load.release(held)
  if (choice < 0.6) {
    assert.equal((await client.rset()).code, 250)
    return client
  }
  const how = random() < 0.5 ? 'FIN' : 'RST'
  if (choice < 0.7) {
    await client.quit()
  } else if (choice < 0.85) {
    await client.leave(how)
  } else {
    assert.equal((await client.data()).code, 354)
    client.write('Subject: cut off\r\n\r\nThe first half of')
    await client.leave(how)
  }
  return load.connect(session)
}

/** One message to this many recipients, where accepted. */
export async function sendTo(recipients: number, client: SmtpClient, load: Load): Promise<void> {
  if (!(await load.mail(client, FROM))) return
  let accepted = 0
  for (let at = 0; at < recipients; at++) {
    if (await load.rcpt(client)) accepted++
  }
  if (accepted === 0) assert.equal((await client.rset()).code, 250)
  else await deliver(client)
}

async function deliver(client: SmtpClient): Promise<void> {
  assert.equal((await client.data()).code, 354)
  assert.equal((await client.message()).code, 250)
}

/** The tenant's messages from this sender that were delivered. */
export function messagesOf({ id, relay }: TestTenant, from: string): DeliveredMessage[] {
  return relay.hosts
    .flatMap((host) => host.sink.messages())
    .filter(({ mailFrom, note }) => mailFrom === from && (note as { tenant: string }).tenant === id)
}

/** Recipients of the tenant's unregistered mail that was delivered. */
export function delivered(tenant: TestTenant): number {
  return messagesOf(tenant, FROM).reduce((sum, { rcptTo }) => sum + rcptTo.length, 0)
}

/** Waits until accepted, delivered and counted recipients are equal. */
export async function assertSettled(tenant: TestTenant, accepted: number): Promise<void> {
  const figures = async () => ({ used: await tenant.used(), delivered: delivered(tenant) })
  const expected = { used: accepted, delivered: accepted }
  const settled = async () => isDeepStrictEqual(await figures(), expected)
  await waitFor(settled, { timeout: 30_000 }).catch(() => {})
  assert.deepEqual(await figures(), expected)
}

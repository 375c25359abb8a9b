import { SmtpClient } from '../../scripts/services/smtp'
import { waitFor } from '../../scripts/services/wait-for'
import type { Restrictions } from '../../src/allowance/restriction'
import type { Sender } from '../seed'

const SESSIONS = 8
const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains'
const STRANGE = 'a@lure.example'
const TO = 'b@far.example'

/** One trip of a tenant past its allowance, and its unblock. */
export interface Episode {
  /** Recipients that were accepted before the restriction. */
  readonly accepted: number
  /** From the lift until all its sessions passed again, in ms. */
  readonly freeAfter: number
  readonly failures: readonly string[]
}

/** Repeatedly lets a tenant's server send until it is restricted, and lifts the restriction. */
export class TakenOver {
  /** The rest of the allowance: some mail passes after a lift. */
  #left: number

  /** @param allowance recipients from other domains that the tenant may send to before it is restricted */
  constructor(
    private readonly port: number,
    private readonly tenant: Sender,
    private readonly allowance: number,
    private readonly restrictions: Restrictions,
  ) {
    this.#left = allowance
  }

  /** Never throws: failures are in the result. */
  async episode(): Promise<Episode> {
    const { tenant, allowance } = this
    const failures: string[] = []
    const expect = (holds: boolean, what: string): void => {
      if (!holds) failures.push(`${tenant.id}: ${what}`)
    }
    let [accepted, freeAfter] = [0, NaN]
    try {
      const options = { port: this.port, localAddress: tenant.ip }
      const clients = await Promise.all(
        Array.from({ length: SESSIONS }, () => SmtpClient.open(options)),
      )
      for (const sent of await Promise.all(clients.map((client) => sendAll(client, allowance)))) {
        accepted += sent.count
        expect(sent.refusal === BLOCKED, `past its allowance it was answered ${sent.refusal}`)
      }
      expect(accepted === this.#left, `${accepted} accepted where ${this.#left} were left`)
      for (const client of clients) {
        // The restriction may reach the other process a moment later.
        await waitFor(async () => (await answerToMail(client)) === BLOCKED, { what: 'the refusal' })
        const own = await client.send({ from: `a@${tenant.domain}`, to: TO })
        expect(own.delivered, `its own mail was answered ${String(own.last)}`)
      }
      const begin = performance.now()
      const act = { by: 'soak', reason: 'cleaned', keepUsage: false }
      await this.restrictions.lift(tenant.id, act)
      await Promise.all(clients.map(passes))
      freeAfter = performance.now() - begin
      this.#left = allowance - clients.length
      await Promise.all(clients.map((client) => client.quit()))
    } catch (error) {
      failures.push(`${tenant.id}: ${String(error)}`)
    }
    return { accepted, freeAfter, failures }
  }
}

/** Sends until it is refused, or has sent more than the allowance. */
async function sendAll(client: SmtpClient, allowance: number) {
  let [count, refusal] = [0, '']
  while (refusal === '' && count <= allowance) {
    const { delivered, last } = await client.send({ from: STRANGE, to: TO })
    if (delivered) count++
    else refusal = String(last)
  }
  return { count, refusal }
}

async function answerToMail(client: SmtpClient): Promise<string> {
  const reply = await client.mail(STRANGE)
  if (reply.positive) await client.rset()
  return String(reply)
}

/** Waits until one message from an unregistered domain passes. */
async function passes(client: SmtpClient): Promise<void> {
  await waitFor(async () => (await answerToMail(client)) !== BLOCKED, { what: 'the lift' })
  const { delivered, last } = await client.send({ from: STRANGE, to: TO })
  if (!delivered) throw new Error(`after the lift it was answered ${String(last)}`)
}

import type { Restrictions } from '../../src/allowance/restriction'
import { SmtpClient } from '../../scripts/services/smtp'
import { waitFor } from '../../scripts/services/wait-for'

/** A tenant whose server is taken over once in a while. */
export interface Victim {
  readonly id: string
  readonly domain: string
  readonly ip: string
  /** Recipients from other domains that it may send to before it is restricted. */
  readonly allowance: number
}

/** One time that it went past its allowance, was restricted, and was set free. */
export interface Episode {
  /** Recipients that were accepted before it was restricted. */
  readonly accepted: number
  /** From the lift on until all its sessions passed again, in ms. */
  readonly freeAfter: number
  /** What went otherwise than it should. */
  readonly failures: readonly string[]
}

const SESSIONS = 8
const BLOCKED =
  '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains'
const STRANGE = 'a@lure.example'
const TO = 'b@far.example'

/** Lets the tenant's servers pour until it is restricted, and lifts that: again and again. */
export class TakenOver {
  /** What the allowance has left: after a lift some mail has passed. */
  #left: number

  constructor(
    private readonly port: number,
    private readonly victim: Victim,
    private readonly restrictions: Restrictions,
  ) {
    this.#left = victim.allowance
  }

  /** Never throws: what fails is part of what happened. */
  async episode(): Promise<Episode> {
    const failures: string[] = []
    const expect = (holds: boolean, what: string): void => {
      if (!holds) failures.push(`${this.victim.id}: ${what}`)
    }
    let accepted = 0
    let freeAfter = NaN
    try {
      const clients = await this.#sessions()
      const poured = await Promise.all(clients.map((client) => pour(client, this.victim.allowance)))
      for (const { count, refusal } of poured) {
        accepted += count
        expect(refusal === BLOCKED, `past its allowance it was answered ${refusal}`)
      }
      expect(accepted === this.#left, `${accepted} accepted where ${this.#left} were left`)

      for (const client of clients) {
        await refuses(client)
        const own = await client.send({ from: `a@${this.victim.domain}`, to: TO })
        expect(own.delivered, `its own mail was answered ${String(own.last)}`)
      }

      const begin = performance.now()
      await this.restrictions.lift(this.victim.id, {
        by: 'soak',
        reason: 'cleaned',
        keepUsage: false,
      })
      await Promise.all(clients.map(passes))
      freeAfter = performance.now() - begin
      this.#left = this.victim.allowance - clients.length
      await Promise.all(clients.map((client) => client.quit()))
    } catch (error) {
      failures.push(`${this.victim.id}: ${String(error)}`)
    }
    return { accepted, freeAfter, failures }
  }

  #sessions(): Promise<SmtpClient[]> {
    const { port } = this
    const open = () => SmtpClient.open({ port, localAddress: this.victim.ip })
    return Promise.all(Array.from({ length: SESSIONS }, open))
  }
}

/** Sends until it is refused, or has sent more than may be. */
async function pour(client: SmtpClient, most: number) {
  let count = 0
  let refusal = ''
  while (refusal === '' && count <= most) {
    const sent = await client.send({ from: STRANGE, to: TO })
    if (sent.delivered) count++
    else refusal = String(sent.last)
  }
  return { count, refusal }
}

/** Waits until MAIL is refused: where RCPT was, the other process may hear of it a moment later. */
async function refuses(client: SmtpClient): Promise<void> {
  const blocked = async (): Promise<boolean> => {
    const reply = await client.mail(STRANGE)
    if (reply.positive) await client.rset()
    return String(reply) === BLOCKED
  }
  await waitFor(blocked, { what: 'the refusal of MAIL' })
}

/** Waits until one message from a strange domain passes. */
async function passes(client: SmtpClient): Promise<void> {
  await waitFor(async () => (await client.mail(STRANGE)).positive, { what: 'the lift' })
  await client.rset()
  const { delivered, last } = await client.send({ from: STRANGE, to: TO })
  if (!delivered) throw new Error(`after the lift it was answered ${String(last)}`)
}

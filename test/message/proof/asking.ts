import { getServers, setServers } from 'node:dns'
import { Readable } from 'node:stream'
import { after, before } from 'node:test'
import {
  examine,
  type Examination,
  type ProofLimits,
  type ProofQuestion,
} from '../../../src/message/proof/prove'
import { TestDns, type Zone } from '../../support/dns'

/** The tenant of these tests. */
const ACCEPTED = new Set(['school.example', 'xn--schl-7qa.example'])

/** A mail from outside to a pupil, who has it forwarded. */
export const MAIL = mail({})

/** Fields replaced, added, or (undefined) left out; `body` unchanged. */
export function mail({
  body = 'Your statement  is ready.\r\n\r\nThe bank\r\n',
  ...changes
}: Readonly<Record<string, string | readonly string[] | undefined>>): string {
  const fields: Record<string, string | readonly string[] | undefined> = {
    From: 'The Bank <news@bank.example>',
    To: 'pupil@school.example',
    Subject: 'Statement',
    Date: 'Mon, 2 Nov 2026 10:00:00 +0000',
    ...changes,
  }
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    [value ?? []].flat().map((each) => `${name}: ${each}\r\n`),
  )
  return `${lines.join('')}\r\n${String(body)}`
}

/** Puts a field on top, like a server that passes mail on. */
export function onTop(field: string, message: string): string {
  return `${field}\r\n${message}`
}

export interface Asked extends Partial<Omit<ProofQuestion, 'message'>>, ProofLimits {}

/** Asks for a message; by default the envelope sender is the outside one, and mailbox.example is a trusted sealer. */
export function ask(message: string | Buffer | Readable, asked: Asked = {}): Promise<Examination> {
  // The default time suffices on a busy machine.
  const { timeLimit = 60_000, dnsTimeout = 20_000, turnLimit = 60_000, ...question } = asked
  const octets = message instanceof Readable ? undefined : Buffer.from(message)
  return examine(
    {
      tenant: 'school',
      message: octets ? Readable.from([octets]) : (message as Readable),
      size: octets?.length ?? 0,
      envelopeDomain: 'bank.example',
      isAccepted: (domain) => ACCEPTED.has(domain),
      arcSealers: ['mailbox.example'],
      ...question,
    },
    { timeLimit, dnsTimeout, turnLimit },
  )
}

/** A DNS server for the tests of a file, used by this process meanwhile. */
export function useDns(zones: Readonly<Record<string, Zone>>): () => TestDns {
  let servers: string[] = []
  let dns: TestDns | undefined
  before(async () => {
    dns = await TestDns.start(zones)
    servers = getServers()
    setServers([dns.address])
  })
  after(async () => {
    setServers(servers)
    await dns?.stop()
  })
  return () => {
    if (!dns) throw new Error('not started yet')
    return dns
  }
}

import { timeByPart, type Part } from './cpu-profile'
import { accepted, sendMessages } from './mail-load'
import { startMailServers, TENANTS, type MailServers, type ServerName } from './mail-servers'
import { profiled, PROFILER } from './profiler-plugin'
import type { Row, Section } from './row'

const { open } = TENANTS

/** What is profiled: mail of a sender through a server. */
const SUBJECTS: readonly {
  readonly what: string
  readonly server: ServerName
  readonly from: string
}[] = [
  { what: 'Haraka alone', server: 'alone', from: `a@${open.domain}` },
  { what: 'registered', server: 'ours', from: `a@${open.domain}` },
  { what: 'unregistered, charged', server: 'ours', from: 'a@elsewhere.example' },
  { what: 'haraka-plugin-limit', server: 'limit', from: 'a@elsewhere.example' },
]

const WORDS: Readonly<Record<Part, string>> = {
  haraka: 'Haraka',
  plugin: 'our plugin',
  limit: 'haraka-plugin-limit',
  ioredis: 'Redis client',
  results: 'results store',
  runtime: 'event loop, collector',
}

/** Where the CPU time goes. */
export const profile: Section = {
  name: 'profile',
  title: 'Where the CPU time of a message goes',
  meaning:
    'A CPU profile of each Haraka after it has warmed up. What the kernel and Node.js do in a call belongs to who ' +
    'called; the write to Redis is our plugin’s, which sends the calls of all sessions together. Shares within a line ' +
    'can be compared, the lines with each other hardly: they are measured one after the other, under a profiler.',
  async run({ profile: { messages } }, progress) {
    const servers = await startMailServers([PROFILER])
    try {
      const rows: Row[] = []
      for (const subject of SUBJECTS) {
        progress.say(subject.what)
        rows.push(await measure(servers, subject, messages))
      }
      return { rows }
    } finally {
      await servers.stop()
    }
  },
}

async function measure(
  servers: MailServers,
  { what, server, from }: (typeof SUBJECTS)[number],
  messages: number,
): Promise<Row> {
  const haraka = servers.servers[server]
  const mail = accepted(from)
  const send = (messages: number): Promise<void> =>
    sendMessages({ port: haraka.port, mail, ip: open.ip, messages })
  await send(messages)
  const times = timeByPart(await profiled(haraka, () => send(messages)))
  const parts = [...times].map(([part, us]) => ({ part, us: us / messages }))
  const all = parts.reduce((sum, { us }) => sum + us, 0)
  const share = ({ part, us }: (typeof parts)[number]): string =>
    `${WORDS[part]} ${((100 * us) / all).toFixed(1)} %`
  return {
    what: `profile, ${what}`,
    figure: `${all.toFixed(0)} µs`,
    detail: parts
      .toSorted((a, b) => b.us - a.us)
      .map(share)
      .join(', '),
    numbers: Object.fromEntries(parts.map(({ part, us }) => [`${part}Us`, us])),
  }
}

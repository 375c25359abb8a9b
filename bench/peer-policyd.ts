import { once } from 'node:events'
import net from 'node:net'
import { keepInFlight } from './in-flight'
import { ASKING, type StartPeer } from './peer'
import { startPeerServer } from './peer-server'

const WHAT = 'policyd-rate-limit, two sliding windows'
const USERS = 1_000
/** A user who may send one message an hour: shows that it counts. */
const SPARE = 'spare'

/** policyd-rate-limit with its SQLite, asked over Postfix's policy protocol (SMTPD_POLICY_README). */
export const startPolicyd: StartPeer = async () => {
  const server = await startPeerServer({
    name: 'policyd-rate-limit',
    files: (port, dir) => ({ 'policyd.yaml': settings(port, dir) }),
    args: (dir) => ['--file', `${dir}/policyd.yaml`],
  })
  if (typeof server === 'string') return { what: WHAT, skipped: server }
  const { port } = server
  const sockets = await Promise.all(Array.from({ length: ASKING }, () => open(port)))
  const stop = (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    return server.stop()
  }
  const [first] = sockets
  const answers = [await ask(first!, SPARE), await ask(first!, SPARE)]
  if (!/dunno/.test(answers[0]!) || !/defer/.test(answers[1]!)) {
    await stop()
    return { what: WHAT, skipped: `does not count: ${answers.join(', ').replaceAll('\n', ' ')}` }
  }
  return {
    what: WHAT,
    how: `a process of its own with SQLite in memory, ${ASKING} connections, ${USERS.toLocaleString('en-US')} users in turn`,
    calls: 3_000,
    run: async (calls) => {
      const pace = await keepInFlight(calls, ASKING, async (number, lane) => {
        const answer = await ask(sockets[lane]!, `user-${number % USERS}`)
        if (!answer.includes('dunno')) throw new Error(`policyd-rate-limit: ${answer}`)
      })
      return pace.perSecond
    },
    stop,
  }
}

/**
 * YAML, of which JSON is a part. The database is in memory, as that of Redis here: on a disk it waits for the disk
 * after each decision, and we would measure that.
 */
function settings(port: number, dir: string): string {
  return JSON.stringify({
    debug: false,
    pidfile: `${dir}/pid`,
    backend: 0,
    sqlite_config: { database: ':memory:' },
    SOCKET: ['127.0.0.1', port],
    limits: [
      [100_000_000, 3_600],
      [100_000_000, 86_400],
    ],
    limits_by_id: { [SPARE]: [[1, 3_600]] },
    limit_by_sasl: true,
  })
}

async function open(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  // Who waits for an answer then hears of it; later nobody does.
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy(new Error('policyd-rate-limit has hung up')))
  return socket.setEncoding('utf8')
}

async function ask(socket: net.Socket, user: string): Promise<string> {
  socket.write(
    'request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.1\n' +
      `sender=a@elsewhere.example\nrecipient=b@far.example\nsasl_username=${user}\n\n`,
  )
  let answer = ''
  while (!answer.endsWith('\n\n')) {
    const [text] = (await once(socket, 'data')) as [string]
    answer += text
  }
  return answer
}

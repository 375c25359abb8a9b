import { Agent, request } from 'node:http'
import { once } from 'node:events'
import { keepInFlight } from './in-flight'
import { ASKING, type StartPeer } from './peer'
import { startPeerServer } from './peer-server'

const WHAT = "rspamd's ratelimit, one leaky bucket"
const MESSAGE =
  'From: a@elsewhere.example\r\nTo: b@far.example\r\nSubject: x\r\nMessage-ID: <1@elsewhere.example>\r\n\r\nx\r\n'

/** rspamd with its ratelimit module and nothing else, on the same Redis, asked over HTTP (/checkv2). */
export const startRspamd: StartPeer = async (redis) => {
  const server = await startPeerServer({
    name: 'rspamd',
    files: (port, dir) => ({
      'rspamd.conf': settings(port, redis.port, dir),
      'rules.lua': 'require "global_functions" ()\n',
      // It compiles the names of the whole list into one automaton, for seconds.
      'tlds.dat': 'com\nexample\n',
    }),
    args: (dir) => ['--no-fork', '--config', `${dir}/rspamd.conf`],
  })
  if (typeof server === 'string') return { what: WHAT, skipped: server }
  const agent = new Agent({ keepAlive: true, maxSockets: ASKING })
  return {
    what: WHAT,
    how: `one worker and the same Redis, nothing but this module, ${ASKING} requests in flight`,
    calls: 1_500,
    run: async (calls) => {
      const scripts = async () => (await redis.commandStats())['evalsha'] ?? 0
      const before = await scripts()
      const pace = await keepInFlight(calls, ASKING, () => check(agent, server.port))
      if ((await scripts()) - before < calls) throw new Error('rspamd: it has not asked Redis')
      return pace.perSecond
    },
    stop: () => {
      agent.destroy()
      return server.stop()
    },
  }
}

function settings(port: number, redisPort: number, dir: string): string {
  return `
options {
  filters = ""; pidfile = "${dir}/pid"; control_socket = "${dir}/control mode=0600"; tempdir = "${dir}";
  hs_cache_dir = "${dir}"; url_tld = "${dir}/tlds.dat"; disable_monitoring = true; dns { nameserver = "127.0.0.1"; }
}
logging { type = "console"; level = "error"; }
worker "normal" { bind_socket = "127.0.0.1:${port}"; count = 1; }
actions { reject = 1000; }
lua = "${dir}/rules.lua"
modules { path = "/usr/share/rspamd/plugins/ratelimit.lua"; }
redis { servers = "127.0.0.1:${redisPort}"; }
ratelimit { rates { tenant { selector = "user"; bucket { burst = 100000000; rate = 1000; } } } }
`
}

async function check(agent: Agent, port: number): Promise<void> {
  const headers = {
    User: 'contoso',
    From: 'a@elsewhere.example',
    Rcpt: 'b@far.example',
    IP: '192.0.2.1',
    'Content-Length': Buffer.byteLength(MESSAGE),
  }
  const asked = request({
    agent,
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/checkv2',
    headers,
  })
  asked.end(MESSAGE)
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]
  let text = ''
  for await (const piece of response.setEncoding('utf8')) text += String(piece)
  if (!text.includes('"action":"no action"')) throw new Error(`rspamd: ${text.slice(0, 200)}`)
}

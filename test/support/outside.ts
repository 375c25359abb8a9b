import { startHaraka, type HarakaVersion, type TestHaraka } from '../../scripts/services/haraka'
import { Sink } from '../../scripts/services/sink'

/** A plugin of the site that routes to other servers: no DNS query leaves this machine. */
export const routing = {
  name: 'test_routing',
  source: `
    const fs = require('node:fs')
    const path = require('node:path')
    exports.register = function () {
      this.register_hook('get_mx', 'route', -100)
      this.register_hook('queue_outbound', 'next_sink', 100)
    }
    // A domain without a route does not exist: outbound bounces.
    exports.route = function (next, hmail, domain) {
      const routes = JSON.parse(fs.readFileSync(path.join(process.env.HARAKA, 'config/routes.json'), 'utf8'))
      const port = routes[domain]
      if (port) next(OK, { priority: 0, exchange: '127.0.0.1', port })
      else next(DENY, 'no such recipient')
    }
    // The instruction for the sink of the next server.
    exports.next_sink = function (next, { transaction }) {
      const sink = transaction.header.get('X-Next').trim()
      for (const name of ['X-Sink', 'X-Next']) transaction.remove_header(name)
      if (sink) transaction.add_header('X-Sink', sink)
      next()
    }`,
} as const

/** The routes of the routing plugin: ports of the loopback by domain. */
export function setRoutes(haraka: TestHaraka, routes: Record<string, number>): void {
  haraka.writeConfig('routes.json', JSON.stringify(routes))
}

/**
 * A remote server. It accepts all mail; with the header `X-Sink: pass` it delivers further, and bounces where it has
 * no route.
 */
export async function startOutside(version?: HarakaVersion): Promise<TestHaraka> {
  const outside = await startHaraka({
    ...(version !== undefined && { version }),
    plugins: ['relay', Sink.plugin, routing.name],
    localPlugins: { [routing.name]: routing.source },
    config: { 'routes.json': '{}', me: 'outside.example\n' },
  })
  return outside
}

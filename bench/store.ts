import { connect } from '../src/store/connection'
import type { RedisSettings } from '../src/store/settings'
import { Keys } from '../src/store/keys'
import { Store } from '../src/store/store'
import { waitFor } from '../scripts/services/wait-for'

const PREFIX = 'ud:'

/** As a default installation connects, but on this port, and patient: what is slow is to be seen, not to fail. */
function settingsFor(port: number): RedisSettings {
  return {
    host: '127.0.0.1',
    port,
    db: 0,
    username: undefined,
    password: undefined,
    tls: false,
    tlsCa: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    prefix: PREFIX,
    sentinels: [],
    sentinelName: '',
    sentinelUsername: undefined,
    sentinelPassword: undefined,
    cluster: [],
    commandTimeout: 60_000,
  }
}

/** A connected store of the kind that a process of Haraka has. */
export async function openStore(port: number): Promise<Store> {
  const client = connect(settingsFor(port), () => {})
  await waitFor(() => client.status === 'ready', { what: `Redis on port ${port}` })
  return new Store(client, new Keys(PREFIX))
}

import { connect } from '../src/store/connection'
import { Keys } from '../src/store/keys'
import { Store } from '../src/store/store'
import { waitFor } from '../scripts/services/wait-for'
import { settingsFor } from '../test/support/connection'

/** A store connected like a process of Haraka, with long timeouts: a slow answer is measured and does not fail. */
export async function openStore(port: number): Promise<Store> {
  const settings = settingsFor({ port }, { commandTimeout: 60_000 })
  const client = connect(settings, () => {})
  await waitFor(() => client.status === 'ready', { what: `Redis on port ${port}` })
  return new Store(client, new Keys(settings.prefix))
}

import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Plugin } from '../../../plugins/kit/haraka'
import { watchTenantsFile } from '../../../plugins/process/tenants-file'
import { waitFor } from '../../../scripts/services/wait-for'
import { readOwnedFile } from '../../../src/base/owned-file'
import { Keys } from '../../../src/store/keys'
import { Store } from '../../../src/store/store'
import { applyTenantsFile } from '../../../src/tenants-file/apply'
import { Registries } from '../../support/registries'
import { parseTenantsFile } from '../../../src/tenants-file/parse'
import { startRedis, type TestRedis } from '../../support/redis'

/** No file of the project belongs to it. */
const NOBODY = 65_534

let redis: TestRedis
let store: Store

before(async () => {
  redis = await startRedis()
  const client = redis.client()
  await client.ping()
  store = new Store(client, new Keys('ud:'))
})
after(() => redis.stop())

/** Haraka's side of a watched file. */
class WatchedFile {
  readonly notices: string[] = []
  private onChange = (): void => {}

  constructor(private text: string) {}

  get plugin(): Plugin {
    const log = (message: string): void => void this.notices.push(message)
    const get = (_name: string, _type: string, onChange: () => void): void => {
      this.onChange = onChange
    }
    return {
      config: { get },
      ...{ lognotice: log, logwarn: log, logerror: log },
    } as unknown as Plugin
  }

  readonly read = (): Buffer => Buffer.from(this.text)

  change(text: string): void {
    this.text = text
    this.onChange()
  }
}

it('a version of the file that is still being applied is not written over a later one', async () => {
  const others = Array.from({ length: 100 }, (_, at) => `  other${at}: {}`).join('\n')
  const file = new WatchedFile(`id: a\ntenants:\n${others}\n  contoso: { name: Old }\n`)
  const apply = (content: Buffer, filename: string) =>
    applyTenantsFile(store, parseTenantsFile(content.toString(), filename))
  const whenWritable = (): Promise<void> => Promise.resolve()
  watchTenantsFile(file.plugin, { whenWritable, apply }, 'tenants.yaml', file.read)
  await waitFor(() => store.client.exists(store.keys.tenant('other0')))
  file.change('id: a\ntenants:\n  contoso: { name: New }\n')
  await waitFor(() => file.notices.filter((each) => each === 'tenants.yaml: applied').length === 2)
  assert.equal((await new Registries(store).tenants.get('contoso'))?.name, 'New')
})

it('a file that the ini file may not name is not applied, and the log says why', () => {
  const file = new WatchedFile('id: a\n')
  const unused = () => assert.fail('applied')
  watchTenantsFile(file.plugin, { whenWritable: unused, apply: unused }, 'tenants.yaml', () => {
    return readOwnedFile(__filename, NOBODY).content
  })
  assert.equal(file.notices.length, 1)
  assert.match(
    file.notices[0]!,
    /^tenants\.yaml: cannot be read: .* belongs to uid \d+, .* to uid 65534: .*; what was registered before stays$/,
  )
})

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Service } from '../../scripts/services/service'
import { scratchDir, SmtpClient, startRedis } from '../support'
import { REPLY } from '../support/replies'

const run = promisify(execFile)
const root = path.resolve(__dirname, '../..')
const haraka = path.join(root, 'node_modules/haraka/bin/haraka')
const NAME = 'haraka-plugin-unregistered-domain'

test('The package holds what runs and what is read, installs without a build, and runs by one line', async (t) => {
  const { tarball, files } = await pack()
  assert.deepEqual(files.sort(), expectedFiles().sort())

  const site = path.join(scratchDir('site'), 'haraka')
  await run(process.execPath, [haraka, '-i', site])
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline']
  await npm(['install', '--prefix', site, ...quiet, tarball], site)

  const redis = await startRedis()
  t.after(() => redis.stop())
  configure(site, redis.port)
  const program = path.join(site, 'node_modules/.bin/tenantctl')
  // In the site, so that it finds ./config.
  const tenantctl = async (line: string) =>
    (await run(program, line.split(' '), { cwd: site })).stdout
  await tenantctl('tenant add contoso --limits 2/1h')
  await tenantctl('domain add contoso contoso.example')
  await tenantctl('connector add contoso mx --ip 127.0.0.1')

  const server = new Service({
    command: process.execPath,
    args: [haraka, '-c', site],
    cwd: site,
  })
  t.after(() => server.kill())
  await server.waitForLog(/unregistered-domain\].*\bready\b/)
  const [, port] = await server.waitForLog(/Listening on 127\.0\.0\.1:(\d+)/)

  const client = await SmtpClient.open({ port: Number(port) })
  await client.mail('someone@elsewhere.example')
  const replies = []
  for (const user of ['one', 'two', 'three']) {
    replies.push((await client.rcpt(`${user}@far.example`)).raw)
  }
  assert.deepEqual(replies, [
    '250 recipient <one@far.example> OK\r\n',
    '250 recipient <two@far.example> OK\r\n',
    REPLY.blocked,
  ])
  await client.rset()
  assert.equal((await client.mail('someone@contoso.example')).code, 250)
  assert.equal((await client.rcpt('someone@far.example')).code, 250)
  await client.quit()
  const status = JSON.parse(await tenantctl('status contoso --json')) as { restricted: boolean }
  assert.equal(status.restricted, true)
  assert.match(await tenantctl('unblock contoso --reason cleaned'), /contoso/)
})

/** Packs what the build has left in dist/. */
async function pack(): Promise<{ tarball: string; files: string[] }> {
  const dir = scratchDir('package')
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', dir]
  const [packed] = JSON.parse(await npm(args, root)) as [
    { filename: string; files: { path: string }[] },
  ]
  return { tarball: path.join(dir, packed.filename), files: packed.files.map((file) => file.path) }
}

/** One program and one script for each source, and what people read. */
function expectedFiles(): string[] {
  const sources = [...filesIn('plugins'), ...filesIn('src')].filter(
    (name) => !name.endsWith('.d.ts'),
  )
  return [
    ...sources.map((name) => `dist/${name.replace(/\.ts$/, '.js')}`),
    ...filesIn('config'),
    ...filesIn('docs').filter(
      (name) => !/^docs\/(architecture|dependencies|performance)/.test(name),
    ),
    ...['README.md', 'CHANGELOG.md', 'SECURITY.md', 'LICENSE', 'package.json'],
  ]
}

function filesIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
}

/** npm as if it were not `npm test` that runs this. */
async function npm(args: string[], cwd: string): Promise<string> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(lifecycle|package|config_local_prefix|command)/.test(name),
  )
  const { stdout } = await run('npm', args, { cwd, env: Object.fromEntries(inherited) })
  return stdout
}

/** The line of ours in config/plugins, and around it what makes this site a relay of the loopback. */
function configure(site: string, redisPort: number): void {
  const file = (name: string) => path.join(site, 'config', name)
  const change = (name: string, ...changes: [string, string][]) => {
    let text = readFileSync(file(name), 'utf8')
    for (const [from, to] of changes) {
      assert.ok(text.includes(from), `${name} has no ${from}`)
      text = text.replace(from, to)
    }
    writeFileSync(file(name), text)
  }
  change(
    'plugins',
    ['rcpt_to.in_host_list\n', 'rcpt_to.in_host_list\nunregistered-domain\n'],
    ['# relay\n', 'relay\n'],
    // It asks the DNS.
    ['\nmail_from.is_resolvable\n', '\n'],
  )
  writeFileSync(file('relay_acl_allow'), '127.0.0.0/8\n')
  writeFileSync(file('smtp.ini'), `listen=127.0.0.1:0\n${readFileSync(file('smtp.ini'), 'utf8')}`)
  const shipped = path.join(site, 'node_modules', NAME, 'config/unregistered-domain.ini')
  writeFileSync(file('unregistered-domain.ini'), readFileSync(shipped))
  change('unregistered-domain.ini', ['\nport=6379\n', `\nport=${redisPort}\n`])
  appendFileSync(file('log.ini'), '\n[main]\nlevel=notice\n')
}

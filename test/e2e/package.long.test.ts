import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Service } from '../../scripts/services/service'
import { scratchDir, SmtpClient, startRedis } from '../support'
import { documented } from '../support/documented'
import { npmInstall, packInto } from '../support/npm'
import { REPLY } from '../support/replies'

const run = promisify(execFile)
const root = path.resolve(__dirname, '../..')
const haraka = path.join(root, 'node_modules/haraka/bin/haraka')

test('The package installs without a build, and the steps of the README lead to the first 550', async (t) => {
  const { tarball, files } = await packInto(scratchDir('package'))
  assert.deepEqual(files.sort(), expectedFiles().sort())

  const site = path.join(scratchDir('site'), 'haraka')
  await run(process.execPath, [haraka, '-i', site])
  await npmInstall(site, tarball)
  const type = async (commands: string): Promise<string> => {
    const PATH = `${path.join(site, 'node_modules/.bin')}:${process.env['PATH']}`
    const options = { cwd: site, env: { ...process.env, PATH } }
    return (await run('sh', ['-ec', commands], options)).stdout
  }

  const redis = await startRedis()
  t.after(() => redis.stop())
  const [, enable = '', configure = '', trial = '', , over = '', first = ''] = documented(
    'README.md',
    'Install',
  )
  const [copy = '', monitor = '', doctor = ''] = configure.split('\n')
  await type(`${enable}${copy}\n${monitor}`)
  settleIn(site, redis.port)
  assert.match(await type(doctor), / 0 fails\n$/)

  const server = new Service({
    command: process.execPath,
    args: [haraka, '-c', site],
    cwd: site,
  })
  t.after(() => server.kill())
  await server.waitForLog(/unregistered-domain\].*\bready\b.*mode=monitor/)
  const [, port] = await server.waitForLog(/Listening on 127\.0\.0\.1:(\d+)/)

  const [tenant = '', connector = '', swaks = ''] = trial.split('\n')
  await type(`${tenant}\n${connector}`)
  const [, from = '', to = ''] = /--from (\S+) --to (\S+)/.exec(swaks) ?? []
  const [one = '', two = ''] = to.split(',')
  const client = await SmtpClient.open({ port: Number(port) })
  assert.equal((await client.mail(from)).code, 250)
  assert.equal((await client.rcpt(one)).raw, `250 recipient <${one}> OK\r\n`)
  assert.equal((await client.rcpt(two)).raw, REPLY.blocked)
  await client.quit()
  assert.match(await type(over), /^trial .* allowance of 1\/1h exceeded /m)
  const verdicts = (await type(first)).match(/^verdict .*$/gm)
  assert.deepEqual(verdicts, first.match(/(?<=# )verdict .*$/gm))
})

/** Each source as a program, each script, and the pages for people. */
function expectedFiles(): string[] {
  const sources = [...filesIn('plugins'), ...filesIn('src')].filter(
    (name) => !name.endsWith('.d.ts'),
  )
  return [
    ...sources.map((name) => `dist/${name.replace(/\.ts$/, '.js')}`),
    ...['htmx.min.js', 'hx-ptag.min.js'].map((name) => `dist/src/console/assets/${name}`),
    ...filesIn('config'),
    ...filesIn('monitoring'),
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

/** A free port, the Redis of the test, no plugin that asks the DNS, and a log that says when Haraka is ready. */
function settleIn(site: string, redisPort: number): void {
  const file = (name: string) => path.join(site, 'config', name)
  const change = (name: string, from: string, to: string) => {
    const text = readFileSync(file(name), 'utf8')
    assert.ok(text.includes(from), `${name} has no ${from}`)
    writeFileSync(file(name), text.replace(from, to))
  }
  change('plugins', '\nmail_from.is_resolvable\n', '\n')
  change('unregistered-domain.ini', '\nport=6379\n', `\nport=${redisPort}\n`)
  writeFileSync(file('smtp.ini'), `listen=127.0.0.1:0\n${readFileSync(file('smtp.ini'), 'utf8')}`)
  appendFileSync(file('log.ini'), '\n[main]\nlevel=notice\n')
}

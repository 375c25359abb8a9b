import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { installed } from '../bench/install'
import { packageRoot } from '../src/base/package-root'
import { NEEDED } from '../src/message/proof/mailauth'
import { REPLY } from './support/replies'

type Versions = Readonly<Record<string, string>>

interface Manifest {
  readonly name: string
  readonly keywords: readonly string[]
  readonly homepage: string
  readonly bugs: Versions
  readonly repository: Versions
  readonly license: string
  readonly main: string
  readonly bin: Versions
  readonly files: readonly string[]
  readonly engines: Versions
  readonly scripts: Versions
  readonly dependencies: Versions
  readonly devDependencies: Versions
  readonly peerDependencies: Versions
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>
}

const read = (file: string): string => readFileSync(path.join(packageRoot(), file), 'utf8')
const manifest = JSON.parse(read('package.json')) as Manifest

/** The packages that the sources in these folders import, or require where they need them. */
function importedBy(...folders: string[]): string[] {
  const sources = folders.flatMap((folder) =>
    readdirSync(path.join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
      .map((file) => read(path.join(folder, file))),
  )
  const names = sources.flatMap((text) =>
    [...text.matchAll(/(?: from |\brequire\()'((?:@[^/']+\/)?[^./'][^/']*)/g)].map(
      ([, name = '']) => name,
    ),
  )
  return [...new Set(names)].filter((name) => !name.startsWith('node:')).sort()
}

describe('package.json', () => {
  it('says what the package is, and where its parts are', () => {
    assert.equal(manifest.name, 'haraka-plugin-unregistered-domain')
    assert.equal(manifest.license, 'MIT')
    assert.deepEqual(manifest.engines, { node: '>=20.20' })
    assert.equal(manifest.main, 'dist/plugins/unregistered-domain.js')
    assert.deepEqual(manifest.bin, { tenantctl: 'dist/src/cli/tenantctl.js' })
    for (const keyword of ['haraka', 'haraka-plugin']) {
      assert.ok(manifest.keywords.includes(keyword), keyword)
    }
    // npm itself adds README, LICENSE and package.json.
    assert.deepEqual(manifest.files, [
      ...['dist', '!dist/.tsbuildinfo', 'config'],
      // What an operator reads, and not how it is built or measured.
      ...['docs', '!docs/architecture.md', '!docs/dependencies.md', '!docs/performance*'],
      ...['monitoring', 'CHANGELOG.md', 'SECURITY.md'],
    ])
  })

  it('says where its repository is, from which npm makes the links of the README', () => {
    const home = 'https://github.com/haraka/haraka-plugin-unregistered-domain'
    assert.deepEqual(manifest.repository, { type: 'git', url: `git+${home}.git` })
    assert.equal(manifest.homepage, `${home}#readme`)
    assert.deepEqual(manifest.bugs, { url: `${home}/issues` })
  })

  it('builds on npm ci and before the tests', () => {
    assert.equal(manifest.scripts['prepare'], 'npm run build')
    assert.equal(manifest.scripts['pretest'], 'npm run build')
  })

  it('depends on what runs, all of it, and no more', () => {
    const { dependencies, peerDependencies } = manifest
    assert.deepEqual(
      Object.keys({ ...dependencies, ...peerDependencies }).sort(),
      importedBy('plugins', 'src'),
    )
  })

  it('runs no script of its own or of a dependency when it is installed from the tarball', () => {
    // npm runs prepare for a folder and for git only.
    for (const script of ['preinstall', 'install', 'postinstall']) {
      assert.equal(manifest.scripts[script], undefined)
    }
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>
    }
    const atRunTime = Object.entries(lock.packages).filter(([name, { dev }]) => name !== '' && !dev)
    assert.ok(atRunTime.length >= Object.keys(manifest.dependencies).length)
    const withScripts = atRunTime.filter(([, { hasInstallScript }]) => hasInstallScript)
    assert.deepEqual(withScripts, [])
  })

  it('has Haraka for development only: a peer breaks the installation in a site', () => {
    assert.equal(manifest.devDependencies['haraka'], '3.3.4')
    assert.equal(manifest.devDependencies['haraka-v3.1'], 'npm:Haraka@3.1.7')
    assert.ok(!('haraka' in manifest.peerDependencies))
  })

  it('has mailauth as an optional peer: only forwards need it, and tests', () => {
    assert.deepEqual(manifest.peerDependencies, { mailauth: `^${NEEDED.join('.')}` })
    assert.deepEqual(manifest.peerDependenciesMeta, { mailauth: { optional: true } })
    assert.equal(manifest.devDependencies['mailauth'], manifest.peerDependencies['mailauth'])
  })

  it('adds at most 40 packages and 20 MB beside a Haraka', () => {
    const { packages, bytes } = installed(packageRoot())
    assert.ok(packages <= 40, `${packages} packages`)
    assert.ok(bytes <= 20e6, `${bytes} bytes`)
  })

  it('has a line in docs/dependencies.md for each dependency', () => {
    const lines = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)`/gm)]
    const { dependencies, devDependencies } = manifest
    assert.deepEqual(
      lines.map(([, name = '']) => name).sort(),
      Object.keys({ ...dependencies, ...devDependencies }).sort(),
    )
  })
})

/** The files that a process has in memory once it has run this, with `dist` as the compiled package. */
function filesLoadedBy(script: string): string[] {
  const dist = JSON.stringify(path.join(packageRoot(), 'dist'))
  const whole = `const dist = ${dist}
    ${script}
    process.stdout.write(JSON.stringify(Object.keys(require.cache)), () => process.exit())`
  return JSON.parse(execFileSync(process.execPath, ['-e', whole], { encoding: 'utf8' })) as string[]
}

/** The packages among files. */
function packagesOf(files: readonly string[]): Set<string> {
  return new Set(
    files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []),
  )
}

describe('the compiled package', () => {
  it('loads no list of mailbox providers before somebody asks: no command', () => {
    const loaded = packagesOf(
      filesLoadedBy(`
        const { createProgram } = require(dist + '/src/cli/program.js')
        const { processIo } = require(dist + '/src/cli/kit/io.js')
        createProgram(processIo(), () => {})`),
    )
    for (const name of ['ioredis', 'commander']) assert.ok(loaded.has(name), name)
    assert.ok(!loaded.has('email-providers'))
  })

  it('loads the command that a command line names, and no other', () => {
    const folder = path.join('src', 'cli', 'commands')
    const commandsFor = (...argv: string[]): string[] =>
      filesLoadedBy(`
        const { createProgram } = require(dist + '/src/cli/program.js')
        const { processIo } = require(dist + '/src/cli/kit/io.js')
        createProgram(processIo(), () => {}, ${JSON.stringify(argv)})`)
        .filter((file) => file.includes(folder))
        .map((file) => path.basename(file, '.js'))
    assert.deepEqual(commandsFor('--help'), [])
    assert.deepEqual(commandsFor('evidense', 'contoso'), [])
    assert.deepEqual(commandsFor('help', 'evidence'), ['evidence'])
    assert.deepEqual(commandsFor('evidence', 'status'), ['evidence'])
    assert.deepEqual(commandsFor('--by', 'status', '--json', 'restore', 'file'), ['backup'])
  })

  it('loads no library that a command has no use for', () => {
    const packagesFor = (...argv: string[]): Set<string> =>
      packagesOf(
        filesLoadedBy(`
        const { createProgram } = require(dist + '/src/cli/program.js')
        const { processIo } = require(dist + '/src/cli/kit/io.js')
        createProgram(processIo(), () => {}, ${JSON.stringify(argv)})`),
      )
    assert.deepEqual([...packagesFor('--help')], ['commander'])
    assert.deepEqual([...packagesFor('completion', 'bash')], ['commander'])
    const rare = ['tldts', 'yaml', 'mailauth', 'nodemailer']
    const ofAll = packagesFor('status')
    assert.ok(ofAll.has('ioredis'))
    for (const command of ['status', 'block', 'unblock', 'domain', 'tenant', 'restricted']) {
      const loaded = packagesFor(command)
      for (const name of [...rare, 'fast-string-truncated-width']) {
        assert.ok(!loaded.has(name), `${command} loads ${name}`)
      }
    }
  })

  it('loads the libraries of the console for tenantctl console alone', () => {
    const programs = {
      'all commands': `
        const { createProgram } = require(dist + '/src/cli/program.js')
        const { processIo } = require(dist + '/src/cli/kit/io.js')
        createProgram(processIo(), () => {})`,
      Haraka: `for (const name of ['/plugins/unregistered-domain', '/src/process/engine']) require(dist + name)`,
    }
    for (const [who, script] of Object.entries(programs)) {
      const loaded = filesLoadedBy(script)
      for (const name of ['hono', '@hono/node-server', 'htmx.org']) {
        assert.ok(!packagesOf(loaded).has(name), `${who}: ${name}`)
      }
      if (who !== 'Haraka') continue
      const ofConsole = loaded.filter((file) => file.includes(path.join('src', 'console')))
      assert.deepEqual(
        ofConsole.map((file) => path.basename(file)),
        ['settings.js'],
      )
    }
  })

  it('names no source map: none is shipped', () => {
    const files = readdirSync(path.join(packageRoot(), 'dist'), {
      recursive: true,
      encoding: 'utf8',
    }).filter((file) => file.endsWith('.js'))
    assert.ok(files.length > 50)
    for (const file of files) {
      assert.doesNotMatch(read(path.join('dist', file)), /sourceMappingURL/, file)
    }
  })
})

describe('the pages', () => {
  it('have every reply, byte for byte', () => {
    const text = read('docs/reference.md')
    for (const reply of Object.values(REPLY)) {
      assert.ok(text.includes(`\`${reply.trimEnd()}\``), reply)
    }
  })

  it('begin with a README of at most 1,000 words', () => {
    assert.ok(read('README.md').trim().split(/\s+/).length <= 1000)
  })
})

import assert from 'node:assert/strict'
import { chmodSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { changeableByOthers } from '../../src/base/trusted-path'

const ME = process.geteuid!()
const STRANGER = 65_534
const skip = ME === 0 ? false : 'only root can give files away'

/** `a/b/config/the.ini`; `link` leads to `a/b`. */
function site(): { place: (name: string) => string; ini: string; linked: string } {
  const root = scratchDir('site')
  const place = (name: string): string => path.join(root, name)
  mkdirSync(place('a/b/config'), { recursive: true })
  for (const each of ['a', 'a/b', 'a/b/config']) chmodSync(place(each), 0o755)
  const ini = place('a/b/config/the.ini')
  writeFileSync(ini, '', { mode: 0o644 })
  symlinkSync('a/b', place('link'))
  return { place, ini, linked: place('link/config/the.ini') }
}

describe('who could change a file', () => {
  it('is nobody else where all of its path is of root or the caller', () => {
    const { ini, linked } = site()
    assert.equal(changeableByOthers(ini, ME), undefined)
    assert.equal(changeableByOthers(linked, ME), undefined)
  })

  for (const at of ['a', 'a/b', 'a/b/config', 'a/b/config/the.ini']) {
    it(`is whom ${at} belongs to`, { skip }, () => {
      const { place, ini, linked } = site()
      lchownSync(place(at), STRANGER, STRANGER)
      const found = `${place(at)} belongs to uid ${STRANGER}`
      assert.equal(changeableByOthers(ini, ME), found)
      assert.equal(changeableByOthers(linked, ME), found)
      assert.equal(changeableByOthers(ini, STRANGER)?.startsWith(`${place(at)} `) ?? false, false)
    })

    for (const mode of [0o775, 0o757, 0o777, 0o1775]) {
      it(`is who may write into ${at}, with mode ${mode.toString(8)}`, () => {
        const { place, ini } = site()
        chmodSync(place(at), mode)
        // A sticky directory of root lets others write, and replace nothing of root's.
        const passes = ME === 0 && mode === 0o1775 && at !== 'a/b/config/the.ini'
        const found = `${place(at)} is writable for others (mode ${mode.toString(8).padStart(4, '0')})`
        assert.equal(changeableByOthers(ini, ME), passes ? undefined : found)
        if (at === 'a/b/config') assert.equal(changeableByOthers(path.dirname(ini), ME), found)
      })
    }
  }

  it('is whom a symbolic link on the way belongs to', { skip }, () => {
    const { place, linked } = site()
    lchownSync(place('link'), STRANGER, STRANGER)
    assert.equal(changeableByOthers(linked, ME), `${place('link')} belongs to uid ${STRANGER}`)
  })

  it('is whom a directory belongs to that a link leads through', { skip }, () => {
    const { place } = site()
    mkdirSync(place('theirs'))
    writeFileSync(place('theirs/the.ini'), '')
    lchownSync(place('theirs'), STRANGER, STRANGER)
    symlinkSync(place('theirs'), place('absolute'))
    symlinkSync('theirs', place('relative'))
    symlinkSync('../../a/../theirs', place('a/b/upwards'))
    symlinkSync('a/b/upwards', place('twice'))
    for (const link of ['absolute', 'relative', 'a/b/upwards', 'twice']) {
      assert.equal(
        changeableByOthers(place(`${link}/the.ini`), ME),
        `${place('theirs')} belongs to uid ${STRANGER}`,
        link,
      )
    }
  })

  it('is said of links that lead in a circle', () => {
    const { place } = site()
    symlinkSync('two', place('one'))
    symlinkSync('one', place('two'))
    assert.match(changeableByOthers(place('one'), ME)!, /is one of too many symbolic links/)
  })
})

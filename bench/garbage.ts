/** For the text of a plugin: `collectGarbage()` collects all of it, without an option of Node.js. */
export const COLLECT_GARBAGE = `
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
`

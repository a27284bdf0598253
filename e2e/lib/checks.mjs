// The lines that a suite prints, one for each thing it shows: xtask reads them.

let passed = 0;
const failures = [];

export async function check(name, action) {
  try {
    await action();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name}\n      ${String(error?.stack ?? error).replaceAll('\n', '\n      ')}`);
  }
}

// Runs the whole suite and ends the process with what came out.
export async function suite(action) {
  try {
    await action();
  } catch (error) {
    failures.push('the run');
    console.error(error);
  }
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length || !passed ? 1 : 0;
}

import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * A reporter that ends a run with the line `N passed, N failed`, whatever else was printed. A file or a hook that
 * fails outside of any test counts as one failure: a run in which nothing ran is never green.
 */
export class CountReporter implements Reporter {
  private passed = 0;
  private failed = 0;

  onInit(): void {
    process.once('exit', () => writeSync(1, `${this.passed} passed, ${this.failed} failed\n`));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.passed = 0;
    this.failed = unhandledErrors.length;
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') this.passed += 1;
        if (state === 'failed') failedTests += 1;
      }
      this.failed += failedTests > 0 || module.ok() ? failedTests : 1;
    }
  }
}

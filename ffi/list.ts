/**
 * A list for code that holds addresses. An array is none: its `push` and its iterator are properties of a prototype, so that
 * code which replaced them would decide what gets unmapped.
 *
 * @module
 */

interface Node<T> {
  readonly value: T;
  readonly next: Node<T> | undefined;
}

/** A list that is read from its newest element to its oldest. */
export class List<T> {
  #newest: Node<T> | undefined;

  get isEmpty(): boolean {
    return this.#newest === undefined;
  }

  add(value: T): void {
    this.#newest = { value, next: this.#newest };
  }

  /** Removes the element that was added last and returns it; `undefined` if the list is empty. */
  take(): T | undefined {
    const node = this.#newest;
    if (node === undefined) return undefined;
    this.#newest = node.next;
    return node.value;
  }

  /** Calls `use` with each element, the newest first. Elements that `use` adds are not visited. */
  each(use: (value: T) => void): void {
    for (let node = this.#newest; node !== undefined; node = node.next) use(node.value);
  }

  /** Whether `test` returns true for one of the elements. */
  some(test: (value: T) => boolean): boolean {
    for (let node = this.#newest; node !== undefined; node = node.next) if (test(node.value)) return true;
    return false;
  }
}

/**
 * A list that any of its members can leave at once.
 *
 * It stands where a Set or a Map would, in what lives long and is passed through by every call. V8's leave a table
 * behind whenever they grow, shrink or are cleared, which holds what was in it and points to the table that came next
 * (`OrderedHashTable::NextTable`, for iterators that are under way). Once such a table has got into the old generation,
 * each later one is reached from it and moves there too, with all calls that it holds: none of them dies young.
 */
export class LinkedList<T> {
  // Before the first and behind the last.
  readonly #end = new Place<T>(undefined as T);
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** The place of the first; undefined where there is none. */
  get first(): Place<T> | undefined {
    return this.after(this.#end);
  }

  /** The place behind another; undefined behind the last. */
  after(place: Place<T>): Place<T> | undefined {
    return place.next === this.#end ? undefined : place.next;
  }

  /** Puts one at the end, and returns its place. */
  add(value: T): Place<T> {
    const place = new Place(value);
    place.list = this;
    place.previous = this.#end.previous;
    place.next = this.#end;
    this.#end.previous.next = place;
    this.#end.previous = place;
    this.#size += 1;
    return place;
  }

  /** Takes one out by its place; false where that is not in this list, or no longer. */
  remove(place: Place<T>): boolean {
    if (place.list !== this) return false;
    place.list = undefined;
    place.previous.next = place.next;
    place.next.previous = place.previous;
    // It must not go on pointing to others, see above.
    place.previous = place;
    place.next = place;
    this.#size -= 1;
    return true;
  }

  /** Those that are in it now, in order. */
  values(): T[] {
    const values: T[] = [];
    for (let place = this.first; place !== undefined; place = this.after(place)) values.push(place.value);
    return values;
  }
}

/** A place in a {@link LinkedList}, to which all but the value belongs. */
export class Place<T> {
  readonly value: T;
  list: LinkedList<T> | undefined;
  previous: Place<T> = this;
  next: Place<T> = this;

  constructor(value: T) {
    this.value = value;
  }
}

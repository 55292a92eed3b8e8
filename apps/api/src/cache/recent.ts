/** What a reader may take for an item: a version at least so new. Infinity: none, whatever it says. */
export type Floor = number;

/** Items that are remembered; beyond, the oldest is forgotten and the cache not believed for as long as it counted. */
const MOST = 10_000;

/**
 * What this process has written lately, so that it never serves something older than its own writes, whatever another
 * process may have put into the cache meanwhile and whether or not the cache has heard of the write.
 */
export class RecentWrites {
  private readonly floors = new Map<string, { floor: Floor; until: number }>();
  private listsUntil = 0;
  private allUntil = 0;

  /** @param window milliseconds after which no value from before a write can be in the cache any more */
  constructor(
    private readonly window: number,
    private readonly most = MOST,
    private readonly now: () => number = Date.now,
  ) {}

  /** This process has written the item, which has that version now; Infinity when it is gone or nobody knows. */
  note(id: string, floor: Floor): void {
    // An item's place in the map is the age of its last write.
    const before = this.floors.get(id)?.floor ?? 0;
    this.floors.delete(id);
    // Of two writes that were answered in the wrong order, the newer one counts; a known version ends not knowing.
    const newest = before === Infinity ? floor : Math.max(floor, before);
    this.floors.set(id, { floor: newest, until: this.now() + this.window });
    for (const [oldest, { until }] of this.floors) {
      if (until > this.now()) {
        if (this.floors.size <= this.most) break;
        this.allUntil = Math.max(this.allUntil, until);
      }
      this.floors.delete(oldest);
    }
  }

  /** The oldest version that may be served; 0 when any may. */
  floorOf(id: string): Floor {
    const found = this.floors.get(id);
    return found && found.until > this.now() ? found.floor : 0;
  }

  /**
   * The cache could not be told about a write: no list in it is believed until all of them have expired. Items are: what
   * was written is remembered one by one.
   */
  suspectLists(): void {
    this.listsUntil = this.now() + this.window;
  }

  /** Whether the cache may be believed about items. */
  get itemsTrusted(): boolean {
    return this.now() >= this.allUntil;
  }

  /** Whether the cache may be believed about lists. */
  get listsTrusted(): boolean {
    return this.itemsTrusted && this.now() >= this.listsUntil;
  }
}

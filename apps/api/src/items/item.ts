/** A thing in stock. */
export interface Item {
  id: string;
  name: string;
  description: string | null;
  quantity: number;
  /** Counts changes; the entity tag is made of it. Not part of the representation. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** What a client writes. */
export interface ItemInput {
  name: string;
  description?: string | null;
  quantity: number;
}

/** An item as it goes out. */
export type ItemView = Omit<Item, "version" | "createdAt" | "updatedAt"> & { createdAt: string; updatedAt: string };

export function view(item: Item): ItemView {
  const { id, name, description, quantity } = item;
  return {
    id,
    name,
    description,
    quantity,
    createdAt: item.createdAt.toISOString(),
    updatedAt: item.updatedAt.toISOString(),
  };
}

/** The item's strong entity tag. */
export const etag = (item: Pick<Item, "version">): string => `"${item.version}"`;

// Several stories as one book: what a class wrote, with a cover and its contents.

export const STORIES_MAX = 100;

// `stories`: of shared_story.js, in their order. Without a title the book has its first story's.
export function bookOf(stories, title = "") {
  return { title: title.trim() || stories[0].title, by: by(stories), stories };
}

// Whose book it is, in one line.
function by(stories) {
  const authors = [...new Set(stories.map((story) => story.author).filter(Boolean))];
  if (!authors.length) return [...new Set(stories.map((story) => story.model))].join(" and ");
  if (authors.length > 4) return `${authors.slice(0, 3).join(", ")} and ${authors.length - 3} others`;
  return [authors.slice(0, -1).join(", "), authors.at(-1)].filter(Boolean).join(" and ");
}

// What stands below a book's title.
export const subtitle = ({ stories }) =>
  `${stories.length > 1 ? `${stories.length} stories` : "A story"} told with a small language model`;

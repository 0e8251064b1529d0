// Several stories as one book, for example of a class, with a cover and contents.

export const STORIES_MAX = 100;

// Returns a book of stories (shared_story.js) in order. Without a title the book has its first story's.
export function bookOf(stories, title = "") {
  return { title: title.trim() || stories[0].title, by: by(stories), stories };
}

// Returns the authors in one line; without authors, the models.
function by(stories) {
  const authors = [...new Set(stories.map((story) => story.author).filter(Boolean))];
  if (!authors.length) return [...new Set(stories.map((story) => story.model))].join(" and ");
  if (authors.length > 4) return `${authors.slice(0, 3).join(", ")} and ${authors.length - 3} others`;
  return [authors.slice(0, -1).join(", "), authors.at(-1)].filter(Boolean).join(" and ");
}

// Returns the line below a book's title.
export const subtitle = ({ stories }) =>
  `${stories.length > 1 ? `${stories.length} stories` : "A story"} told with a small language model`;

-- SPDX-License-Identifier: MIT
--- The media type of a file by the end of its name.
local TYPES = {
  avif = "image/avif", bin = "application/octet-stream", bmp = "image/bmp", css = "text/css",
  csv = "text/csv", doc = "application/msword",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  eml = "message/rfc822", epub = "application/epub+zip", gif = "image/gif",
  gz = "application/gzip", htm = "text/html", html = "text/html", ics = "text/calendar",
  jpeg = "image/jpeg", jpg = "image/jpeg", js = "text/javascript", json = "application/json",
  log = "text/plain", md = "text/markdown", mp3 = "audio/mpeg", mp4 = "video/mp4",
  odp = "application/vnd.oasis.opendocument.presentation",
  ods = "application/vnd.oasis.opendocument.spreadsheet",
  odt = "application/vnd.oasis.opendocument.text", ogg = "audio/ogg", pdf = "application/pdf",
  png = "image/png", ppt = "application/vnd.ms-powerpoint",
  pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  rtf = "application/rtf", svg = "image/svg+xml", tar = "application/x-tar",
  tif = "image/tiff", tiff = "image/tiff", txt = "text/plain", vcf = "text/vcard",
  wav = "audio/wav", webm = "video/webm", webp = "image/webp", xls = "application/vnd.ms-excel",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  xml = "application/xml", zip = "application/zip",
}

return function(name)
  local extension = name and name:match("%.(%w+)$")
  return extension and TYPES[extension:lower()] or "application/octet-stream"
end

/** Words of an ordinary Turkish shop: with every letter of its alphabet that is not in ASCII, dotted and dotless i in both cases. */
export const TURKISH_WORDS =
  'sipariş müşteri ödeme kargo İstanbul Iğdır çanta gömlek ayakkabı şemsiye ığdır üzüm öğle çiçek güneş yağmur kış ilkbahar iade fatura ' +
  'değişim hızlı yavaş kırmızı yeşil sarı mavi büyük küçük yeni eski uygun pahalı indirim kampanya teslim edildi bekliyor hazırlanıyor ' +
  'gönderildi onaylandı reddedildi kapıda kredi kartı havale taksit adres mahalle sokak apartman daire kat ilçe şehir ülke telefon numara ' +
  'geri arama memnun kaldım teşekkürler lütfen tekrar beden renk stok tükendi geldi gitti aldım verdim paket kutu hediye notu özel gün ' +
  'doğum bayram Şubat Ağustos Eylül Çarşamba Perşembe Pazar sabah akşam gece saat dakika kalite ürün açıklama yorum puan yıldız satıcı ' +
  'mağaza depo raf ölçü ağırlık uzunluk genişlik yükseklik pamuk yün deri ipek keten su geçirmez garanti süresi yıl ay kullanım kılavuzu';

export const FIRST_NAMES =
  'Ayşe Fatma Zeynep Elif Şule İrem Çiğdem Gülşah Mehmet Mustafa Ömer Ümit Işıl Oğuz Çağrı İbrahim Şükrü Yağız Rıza Özge';
export const LAST_NAMES =
  'Yılmaz Şahin Öztürk Çelik Güneş Işık İnan Doğan Kılıç Aydın Çağlar Ünlü Özdemir Ağaoğlu Şimşek Yıldırım Koç Türkoğlu';
export const CITIES =
  'İstanbul Ankara İzmir Diyarbakır Şanlıurfa Eskişehir Muğla Iğdır Kırşehir Çanakkale Gümüşhane Elazığ Ağrı Kütahya';

/** A SQL array literal of the words. */
export const sqlArray = (words: string): string => `ARRAY['${words.split(' ').join("','")}']`;
